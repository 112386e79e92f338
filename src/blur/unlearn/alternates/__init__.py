"""Where other answers to a question come from; a file's name is what a benchmark's ``training.alternates`` lists."""
