"""One file per loss; a file's name is the loss's name. Forget: ga, npo, npo_logits, simnpo. Retain: nll, kl."""
