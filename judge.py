"""Let a model judge the answers of a study: python judge.py study=ablation judge=local"""

from coig.start import start

if __name__ == "__main__":
    start("judge")
