"""What is done under failure: a module for each part of the face, SUBJECTS its functions, what can fail."""
