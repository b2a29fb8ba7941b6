"""Train one arm, or with -m every arm of a study: python train.py -m data.ratio=0,1k,5k,10k,general"""

from coig.start import start

if __name__ == "__main__":
    start("train")
