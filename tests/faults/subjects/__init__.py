"""What is done under failure: one module for each half of the face, SUBJECTS its functions and what can fail."""
