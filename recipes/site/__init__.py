"""Build the site of docs/ (make docs): its reference of configuration keys, and pages that lie outside of docs/."""
