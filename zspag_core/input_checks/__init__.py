"""What is only assumed about a model, tried on labelled images: how it wants its input, which output is which class.

A wrong assumption destroys another class without a word. So where a usual other reading reads the images clearly
better than the one that was taken, nothing is begun until a person says which it is. The images are decoded once, and
read once as they are taken (:class:`~zspag_core.input_checks.sample.AskedSample`); each question is a module.
"""
