"""Devices and the languages they speak: chip, document scanner, camera, occupancy sensor, gate controller.

Import the module you need (``hardware.ports``, ``hardware.emrtd``, ``hardware.controller``, …): this package imports nothing by
itself, so that the lane process never loads numpy or cv2.
"""
