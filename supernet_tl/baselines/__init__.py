"""What a transfer is measured against: pretrained networks of other makers, fine-tuned at equal size and equal time."""

from supernet_tl.baselines.finetune import FinetunedBaseline, finetune_pretrained

__all__ = ["FinetunedBaseline", "finetune_pretrained"]
