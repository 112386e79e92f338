"""Raw measurements of a model: likelihoods, greedy generations, gradient norms. No metric is known here."""
