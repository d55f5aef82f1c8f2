"""From cells that are files to arrays and numbers: what several rooms share, in numpy and the decoders alone."""
