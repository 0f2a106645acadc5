"""What a detector is worth: COCO's mAP, faster, with the same numbers; the score from which on to believe it."""
