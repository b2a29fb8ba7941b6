"""Ask models behind servers that speak OpenAI's protocol: transport, typed replies, probabilities, tokens, costs."""
