"""From files to optimizer steps: examples → mixture → tokens → steps."""
