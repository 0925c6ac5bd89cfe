"""Training of the OCR-B line model: text, glyphs, pretend captures, network, export (README.md beside this file).

Needs the environment of ``requirements.txt`` beside this file (torch, Pillow, onnx); nothing that runs at a gate imports it.
"""
