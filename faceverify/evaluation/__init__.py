"""How often a pack errs, measured on an operator's own pictures, in the manner of ISO/IEC 19795-1; and thresholds that rest on it.

``comparisons`` says who is compared with whom, ``run`` measures, ``rates``, ``intervals``, ``dependence`` and ``strata`` count,
``calibrate`` sets a threshold where the data can support one, ``report`` shows it all. This file stays empty.
"""
