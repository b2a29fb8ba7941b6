"""Measure and compare the answers of a study: python evaluate.py study=ablation"""

from coig.__main__ import run_stage

if __name__ == "__main__":
    run_stage("evaluate")
