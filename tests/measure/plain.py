"""MUSE's metrics by their description, one text at a time: no batch, no padding, nothing of this project's code.

Source: MUSE (arXiv 2407.06460), section 3. The one difference from its code: a space at a prompt's end is cut, and the
beginning-of-sequence token is not counted in the reference (see ``blur.measure.prompts``).
"""

from __future__ import annotations

import torch
from rouge_score.rouge_scorer import RougeScorer


def greedy(model, ids, max_new_tokens, eos):
    """Continue ``ids`` without a cache."""
    new = []
    for _ in range(max_new_tokens):
        with torch.no_grad():
            token = int(model(torch.tensor([ids + new]), use_cache=False).logits[0, -1].argmax())
        if token == eos:
            break
        new.append(token)
    return new


def cached(model, ids, max_new_tokens, eos):
    """Continue ``ids`` as MUSE's code does: transformers' own generation, with a cache."""
    made = model.generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.int64),
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=eos,
        pad_token_id=eos,
    )[0, len(ids) :].tolist()
    return made[: made.index(eos)] if eos in made else made


def rouge(reference, said, stemmer=False):
    return RougeScorer(["rougeL"], use_stemmer=stemmer).score(reference, said)["rougeL"].fmeasure


def verbmem(model, tokenizer, records, max_new_tokens, decode=greedy, stemmer=False):
    """ROUGE-L F1 of each continuation."""
    scores = []
    for record in records:
        said = decode(model, tokenizer(record["prompt"])["input_ids"], max_new_tokens, tokenizer.eos_token_id)
        expected = tokenizer(record["gt"], add_special_tokens=False)["input_ids"][:max_new_tokens]
        scores.append(rouge(tokenizer.decode(expected), tokenizer.decode(said), stemmer))
    return scores


def knowmem(model, tokenizer, records, examples, max_new_tokens, decode=greedy):
    """ROUGE-L F1 of each answer after the examples."""
    beginning = ""
    for record in examples:
        beginning += f"Question: {record['question']}\nAnswer: {record['answer']}\n\n"
    scores = []
    for record in records:
        prompt = beginning + f"Question: {record['question']}\nAnswer:"
        said = tokenizer.decode(decode(model, tokenizer(prompt)["input_ids"], max_new_tokens, tokenizer.eos_token_id))
        for stop in ("\n\n", "\nQuestion", "Question:"):
            said = said.split(stop)[0]
        scores.append(rouge(record["answer"], said))
    return scores


def min_40(model, tokenizer, text):
    """Minus the mean of the 40% lowest token log-probabilities."""
    ids = tokenizer(text)["input_ids"]
    with torch.no_grad():
        logp = torch.log_softmax(model(torch.tensor([ids])).logits[0], -1)
    tokens = sorted(logp[place, token].item() for place, token in enumerate(ids[1:]))
    lowest = tokens[: int(0.4 * len(tokens))]
    return -sum(lowest) / len(lowest)


def privleak(model, retrained, tokenizer, forget, holdout):
    """100 (AUC - AUC_retrained) / AUC_retrained; AUC is that of telling the holdout as the better known."""
    areas = []
    for one in (model, retrained):
        first, second = ([min_40(one, tokenizer, record["text"]) for record in side] for side in (forget, holdout))
        wins = [(a > b) + (a == b) / 2 for a in first for b in second]
        areas.append(sum(wins) / len(wins))
    return 100 * (areas[0] - areas[1]) / areas[1]
