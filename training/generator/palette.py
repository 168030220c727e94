"""Colours as photographs have them: many greys and dark tones, few saturated ones. Linear light, 0 .. 1."""
import colorsys

import numpy as np

from chance import pick


def hsv(h, s, v):
    """Linear RGB of display hue, saturation and value."""
    return np.array(colorsys.hsv_to_rgb(h % 1, min(max(s, 0), 1), min(max(v, 0), 1))) ** 2.2


def cloth(rng):
    q = rng.rand()
    if q < .24:                                         # black, charcoal, navy
        return hsv(rng.normal(.62, .06), rng.uniform(0, .45), rng.uniform(.06, .28))
    if q < .36:                                         # white, off-white
        return hsv(rng.normal(.12, .2), rng.uniform(0, .1), rng.uniform(.78, 1.))
    if q < .47:                                         # grey
        return hsv(rng.rand(), rng.uniform(0, .1), rng.uniform(.3, .75))
    if q < .57:                                         # blues
        return hsv(rng.normal(.6, .035), rng.uniform(.25, .8), rng.uniform(.25, .8))
    if q < .68:                                         # brown, beige, khaki, olive
        return hsv(rng.normal(.1, .04), rng.uniform(.2, .6), rng.uniform(.25, .8))
    if q < .78:                                         # red, wine, orange
        return hsv(rng.normal(0, .03), rng.uniform(.6, .95), rng.uniform(.35, .9))
    return hsv(rng.rand(), rng.beta(2, 1.6), rng.uniform(.25, .95))


def trousers(rng):
    q = rng.rand()
    if q < .36:                                         # jeans
        return hsv(rng.normal(.6, .02), rng.uniform(.2, .6), rng.uniform(.2, .65))
    if q < .66:                                         # black, grey
        return hsv(rng.normal(.62, .1), rng.uniform(0, .2), rng.uniform(.06, .4))
    if q < .80:                                         # khaki
        return hsv(rng.normal(.1, .02), rng.uniform(.15, .45), rng.uniform(.35, .8))
    return cloth(rng)


def skin(rng):
    """Light to dark; the undertone varies."""
    t = rng.beta(.85, 1.7)
    c = np.array([.72, .46, .35]) * (1 - t) ** 1.3 + np.array([.085, .042, .026])
    return np.clip(c * np.exp(rng.normal(0, .10)) * (1 + .05 * rng.normal(size=3)), .02, .95)


def hair(rng, old):
    k = pick(rng, range(5), [.10, .12, .12, .60, .06] if old else [.44, .30, .18, .03, .05])
    base = [(.020, .016, .014), (.075, .042, .024), (.32, .21, .10), (.42, .41, .40), (.16, .045, .02)][k]
    return np.array(base) * rng.uniform(.6, 1.5)


def thing(rng):
    """Furniture, vehicles, tools."""
    q = rng.rand()
    if q < .35:                                         # wood
        return hsv(rng.normal(.08, .015), rng.uniform(.3, .65), rng.uniform(.2, .75))
    if q < .6:                                          # black, grey, metal
        return hsv(rng.rand(), rng.uniform(0, .12), rng.uniform(.06, .7))
    if q < .75:                                         # white
        return hsv(.12, rng.uniform(0, .1), rng.uniform(.75, 1.))
    return hsv(rng.rand(), rng.beta(2.2, 1.5), rng.uniform(.2, .9))
