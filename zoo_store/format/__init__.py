"""What an entry is and how it is written: cards, tensors, digests, manifests, and a reader that trusts none of them."""
