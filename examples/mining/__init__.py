"""Proof of work: the first miner wins, the others are cancelled."""
