"""Let every trained arm of a study answer the test queries: python generate.py study=ablation"""

from coig.start import start

if __name__ == "__main__":
    start("generate")
