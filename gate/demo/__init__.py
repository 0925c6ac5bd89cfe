"""The demonstration: real processes, real APDUs, real signatures, real ONNX sessions; simulated devices and drawn-up travellers.

The cast file says who comes with which document, which face and how they walk. It holds no outcome: those come from the gate.
"""
