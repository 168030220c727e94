"""Light of a photograph: sun, overcast, rooms, flash, back light, night. Directions in camera axes (y down, z forward)."""
import numpy as np

from chance import pick
from geometry import unit

KINDS = ('sun', 'overcast', 'room', 'flash', 'back', 'night')
SHARE = (.27, .22, .26, .08, .09, .08)
DAPPLED = dict(sun=.35, back=.35, room=.15, overcast=.06)        # share of pictures with patches of shade


def tint(rng, warm, spread=.05):
    """Colour of a light; warm > 0 is yellow, < 0 is blue."""
    return np.exp(np.array([warm, 0, -warm * 1.3]) + rng.normal(0, spread, 3))


def dapple(rng, kind):
    """Shade of leaves, blinds, trees or houses: strength, patches per dm in two directions, softness."""
    if rng.rand() >= DAPPLED.get(kind, 0):
        return np.zeros(4, np.float32)
    a = np.exp(rng.uniform(np.log(.05), np.log(1.3)))
    b = a * (rng.uniform(.02, .15) if rng.rand() < .2 else rng.uniform(.7, 1.4))         # bars, or patches
    return np.float32([rng.uniform(.6, 1), a, b, np.exp(rng.uniform(np.log(.04), np.log(.5)))])


def sample(rng):
    """(float row for the renderer: sky, ground, then direction and colour per light; shadow strength; occlusion strength;
    patches of shade)."""
    r = rng
    kind = pick(r, KINDS, SHARE)
    exposure = np.exp(r.normal(.03, .2) + (r.uniform(.2, .6) if r.rand() < .08 else 0))   # some white cloth is burnt out
    cast = exposure * tint(r, r.normal(0, .07), .04)               # what the camera's white balance left over
    side, up = r.normal(0, .8), -abs(r.normal(.8, .4))
    if kind == 'sun':
        amb, warm = r.uniform(.22, .5), r.normal(.05, .05)
        row = [amb * tint(r, -.10), amb * r.uniform(.3, .9) * tint(r, .03), unit([side, up, r.normal(-.3, .7)]), r.uniform(.7, 1.3) * tint(r, warm)]
        shadow = r.uniform(.75, 1)
    elif kind == 'overcast':
        amb = r.uniform(.5, .95)
        row = [amb * tint(r, -.03), amb * r.uniform(.25, .7) * tint(r, .02), unit([side, up, -.3]), r.uniform(.1, .35) * tint(r, 0)]
        shadow = r.uniform(.2, .7)
    elif kind == 'room':
        amb, warm = r.uniform(.2, .55), r.normal(.12, .1)
        row = [amb * tint(r, warm), amb * r.uniform(.4, .9) * tint(r, warm)]
        for _ in range(r.randint(1, 4)):
            row += [unit([r.normal(0, 1), -abs(r.normal(.5, .5)), r.normal(-.4, .7)]), r.uniform(.15, .6) * tint(r, warm, .1)]
        shadow = r.uniform(.3, .9)
    elif kind == 'flash':
        amb = r.uniform(.06, .25)
        row = [amb * tint(r, .1), amb * .6 * tint(r, .1), unit([r.normal(0, .12), r.normal(-.1, .1), -1]), r.uniform(.7, 1.2) * tint(r, 0)]
        shadow = r.uniform(.6, 1)
    elif kind == 'back':
        amb = r.uniform(.18, .45)
        row = [amb * tint(r, -.05), amb * r.uniform(.4, .9) * tint(r, 0), unit([side, r.uniform(-.9, -.1), r.uniform(.4, 1.2)]), r.uniform(.8, 1.8) * tint(r, .08)]
        shadow = r.uniform(.7, 1)
    else:
        amb = r.uniform(.05, .16)
        row = [amb * tint(r, r.normal(0, .15)), amb * .6 * tint(r, r.normal(0, .15))]
        for _ in range(r.randint(1, 3)):
            row += [unit(r.normal(size=3)), r.uniform(.15, .6) * tint(r, r.normal(.15, .2), .15)]
        shadow = r.uniform(.5, 1)
    row = [v * cast if k < 2 or k % 2 else v for k, v in enumerate(row)]
    return np.concatenate(row).astype(np.float32), float(shadow), float(r.uniform(.35, .8)), dapple(r, kind)
