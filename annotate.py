"""Let people compare the answers of a study blind: python annotate.py study=ablation raters=[ann,bob]"""

from coig.__main__ import run_stage

if __name__ == "__main__":
    run_stage("annotate")
