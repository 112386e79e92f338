"""One file per quantization scheme: rtn, bitsandbytes, torchao, gptq, awq."""
