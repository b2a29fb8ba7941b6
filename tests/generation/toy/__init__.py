"""A folder for the import path of another interpreter; it holds a toy of vLLM."""
