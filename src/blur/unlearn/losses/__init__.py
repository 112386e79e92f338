"""One file per loss; a file's name is the loss's name.

Forget: alternate_nll, dpo, ga, npo, npo_logits, rmu, simnpo. Retain: activation_mse, kl, nll.
"""
