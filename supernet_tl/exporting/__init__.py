"""Networks for places where this project is not: ONNX, torch.export, or plain PyTorch with weights."""
