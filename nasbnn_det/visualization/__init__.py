"""Pictures of searches, trainings and detections."""
