"""Turn files into optimizer steps: examples → mixture → tokens → steps."""
