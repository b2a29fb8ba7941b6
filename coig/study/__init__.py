"""Read and write a study's folder `multirun/<study>`: its arms, their manifests and settings."""
