"""Occlusion that passes only differences through a network.

Covering a window or a region changes few values, and each layer's output changes only near it. So
the clean image is passed once, and for every perturbation only the *difference* on the rectangle
that it reaches is carried on:

    linear layers        d' = W d                    the bias drops out, around the patch is zero
    everything else      d' = f(b + d) - f(b)        b: the reference activation, what
                                                     the clean image gives there

The results are exact up to rounding. When the rectangle has grown over most of a map, or an
operation mixes all positions, the values b + d are carried on as in any forward pass.

Carrying differences means that nothing is lost when two nearly equal scores are subtracted. What
b + d loses where it is far smaller than b, and a later norm blows it up again, is found by the
caller, who checks some perturbations against the model itself.

After Nakandala, Kumar & Papakonstantinou, "Incremental and Approximate Inference for Faster
Occlusion-based Deep CNN Explanations" (Krypton), SIGMOD 2019, who recompute values.
"""
