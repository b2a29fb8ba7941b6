"""Measure and compare the answers of a study: python evaluate.py study=ablation"""

from coig.start import start

if __name__ == "__main__":
    start("evaluate")
