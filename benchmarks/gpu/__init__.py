"""The GPU check in stages: docs/gpu.md. ``stages`` says what runs, ``run`` runs it, ``summary`` says what came out."""
