"""Let every trained arm of a study answer the test queries: python generate.py study=ablation"""

from coig.__main__ import run_stage

if __name__ == "__main__":
    run_stage("generate")
