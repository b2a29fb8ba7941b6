"""Let people compare the answers of a study blind: python annotate.py study=ablation 'raters=[ann,bob]'"""

from coig.start import start

if __name__ == "__main__":
    start("annotate")
