"""Operations of any model, and pictures."""
