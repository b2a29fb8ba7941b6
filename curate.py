"""Make reviewed triplets of collected articles: python curate.py name=mine stage=ingest input=articles.jsonl"""

from coig.start import start

if __name__ == "__main__":
    start("curate")
