"""What a person wears: random but plausible outfits as the renderer's Material (render/garment.h), and prints."""
import cv2
import numpy as np

import palette
from chance import pick

PRINT_SIZE = 64                                         # must equal PRINT_SIZE of render/garment.h
PRINTS = 96
NUMBERS = 40                                            # the first prints are numbers


def prints(rng):
    """Numbers, words and emblems, (PRINTS, 64, 64) uint8."""
    out = np.zeros((PRINTS, PRINT_SIZE, PRINT_SIZE), np.uint8)
    for k in range(PRINTS):
        img = out[k]
        if k < NUMBERS:
            s = str(rng.randint(0, 100))
            cv2.putText(img, s, (2 if len(s) > 1 else 18, 54), cv2.FONT_HERSHEY_DUPLEX, 1.45, 255, int(rng.randint(4, 8)), cv2.LINE_AA)
        elif k % 3 == 0:
            for i in range(rng.randint(1, 4)):
                word = ''.join(chr(rng.randint(65, 91)) for _ in range(rng.randint(3, 8)))
                cv2.putText(img, word, (2, 18 + 18 * i), int(rng.randint(0, 5)), rng.uniform(.4, .75), 255, int(rng.randint(1, 4)), cv2.LINE_AA)
        elif k % 3 == 1:
            cv2.circle(img, (32, 32), int(rng.randint(12, 26)), 255, int(rng.choice([-1, 3, 5])), cv2.LINE_AA)
            pts = (rng.normal(0, 12, (rng.randint(3, 7), 2)) + 32).astype(np.int32)
            cv2.fillPoly(img, [pts], int(rng.choice([0, 255])), cv2.LINE_AA)
        else:
            noise = cv2.resize(rng.normal(size=(9, 9)).astype(np.float32), (PRINT_SIZE, PRINT_SIZE), interpolation=cv2.INTER_CUBIC)
            mask = np.hypot(*(np.mgrid[:64, :64] - 31.5)) < 28
            img[:] = np.where((noise > .1) & mask, 255, 0)
    return out


def base(rng, sex, child, old):
    """Head and skin, and everyday clothes; outfits below change them."""
    r = rng
    m = {}
    m['skin'], m['hair'] = palette.skin(r), palette.hair(r, old)
    for k in ('upper', 'upper2', 'outer', 'outer2', 'shoe', 'hat', 'tie_colour', 'scarf_colour', 'sock', 'glove_colour'):
        m[k] = palette.cloth(r)
    m['lower'], m['lower2'] = palette.trousers(r), palette.cloth(r)
    m['sole'] = palette.hsv(.1, .05, r.choice([.1, .9]))
    if r.rand() < .35:
        m['sock'] = palette.hsv(0, 0, r.choice([.05, .95]))
    if r.rand() < .5:
        m['shoe'] = palette.hsv(r.normal(.07, .02), r.uniform(0, .5), r.uniform(.04, .35))
    m['upper_pat'] = pick(r, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13], [.46, .08, .04, .08, .02, .04, .02, .03, .07, .03, .05, .05, .02, .01])
    m['lower_pat'] = pick(r, [0, 2, 3, 4, 8, 12, 14], [.44, .02, .03, .03, .12, .06, .30])
    m['outer_pat'] = pick(r, [0, 3, 8, 9, 10, 12, 13, 14], [.6, .05, .12, .06, .05, .05, .03, .04])
    for k in ('upper_scale', 'lower_scale', 'outer_scale'):
        m[k] = np.exp(r.uniform(-.5, 1.3))
    m['seed'] = r.uniform(0, 30)
    m['has_upper'] = 1.
    m['sleeve'] = pick(r, [-.1 + r.uniform(-.08, .06), r.uniform(.2, .45), r.uniform(.6, .9), r.uniform(.94, 1.02)], [.10, .42, .07, .41])
    m['hem'] = pick(r, [r.uniform(-.6, .9), r.uniform(-2.6, -.6), r.uniform(1., 2.)], [.78, .17, .05])
    m['neck'], m['vneck'] = r.uniform(5.5, 6.), r.choice([0, r.uniform(.1, 1.)])
    if r.rand() < .12:
        m['neck'] = 6.3
    m['collar'] = float(r.rand() < .2)
    m['tie'] = 0.
    m['upper_loose'] = r.uniform(.03, .14) if r.rand() < .5 else r.uniform(.12, .36)
    m['bump'], m['quilt'] = r.uniform(.35, 1.5), 0.
    for k in ('upper_gloss', 'lower_gloss', 'outer_gloss'):
        m[k] = pick(r, [0., r.uniform(.02, .08), r.uniform(.1, .3)], [.6, .3, .1])      # cotton, smooth cloth, satin
    m['hood_down'], m['stand_up'] = 0., 0.
    if m['sleeve'] > .9 and r.rand() < .25:
        m['hood_down'], m['neck'], m['upper_loose'] = r.uniform(.5, 1.2), 6., r.uniform(.15, .4)
    m['has_outer'] = 0.
    m['outer_sleeve'], m['outer_hem'], m['outer_open'], m['outer_loose'] = 1., -.5, 0., .2
    m['waist'] = r.uniform(.6, 1.6)
    m['leg_end'] = pick(r, [r.uniform(-7.75, -7.), r.uniform(-6, -4.5), r.uniform(-3.8, -1.4)], [.72, .06, .22])
    m['lower_loose'] = r.uniform(.03, .12) if r.rand() < .45 else r.uniform(.12, .36)
    m['flare'] = pick(r, [0, r.uniform(.3, 1.5)], [.7, .3])
    m['belt'] = float(r.rand() < .2)
    m['skirt_end'], m['dress'] = 2., 0.
    m['shoe_top'] = pick(r, [-9, r.uniform(-7.9, -7.5), r.uniform(-7.3, -6.2), r.uniform(-5.8, -4.4)], [.08, .76, .09, .07])
    m['sock_top'] = pick(r, [-9, r.uniform(-7.2, -6.6), r.uniform(-6, -4.4)], [.5, .38, .12])
    m['shoe_shine'] = r.rand()
    m['gloves'], m['scarf'] = 0., float(r.rand() < .04)
    m['glasses'] = pick(r, [0, 1, 2], [.77, .13, .10])
    m['brows'], m['mouth'] = r.uniform(.2, 1.), pick(r, [0, r.uniform(.2, .5), r.uniform(.5, .8)], [.5, .15, .35])
    m['spec'] = r.uniform(.03, .14)
    m['print_front'] = float(r.randint(PRINTS)) if r.rand() < .28 else -1.
    m['print_back'] = float(r.randint(PRINTS)) if r.rand() < .15 else -1.
    m['print_size'] = r.uniform(.4, 1.)
    m['seams'] = float(r.randint(16))
    hat(m, r)
    hair_style(m, r, sex, old)
    return m


def hair_style(m, r, sex, old):
    m['hair_line'], m['ear_cover'], m['curly'] = r.uniform(-.12, .22), 0., 0.
    m['hair_thick'], m['long_hair'], m['beard'] = r.uniform(.03, .2), 9., 0.
    m['bun'] = None
    if sex == 'female':
        m['hair_thick'] = r.uniform(.12, .4)
        k = r.rand()
        if k < .45:
            m['long_hair'] = r.uniform(2.4, 6.)
            m['ear_cover'] = r.uniform(0, .8)
        elif k < .62:
            m['ear_cover'] = r.uniform(.5, 1.)          # short, over the ears
        elif k < .90:
            m['bun'] = pick(r, ['bun', 'pony', 'tails'], [.35, .5, .15])
    else:
        if r.rand() < .3:
            m['beard'] = r.uniform(.2, .95)
        if r.rand() < (.35 if old else .12):
            m['hair_line'] = r.uniform(.35, .8) if r.rand() < .5 else 9.    # thin, bald
        elif r.rand() < .15:
            m['hair_thick'], m['ear_cover'] = r.uniform(.2, .4), r.uniform(.3, .8)
    hair_cut(m, r, sex)
    if r.rand() < .14:
        m['curly'], m['hair_thick'] = r.uniform(.4, 1.), max(m['hair_thick'], r.uniform(.2, .7))


def hair_cut(m, r, sex):
    """Parting, fringe, how far the temples lie open; stubble, lips, eyelids."""
    woman = sex == 'female'
    m['parting'] = pick(r, [9., r.normal(0, .05), r.choice([-1, 1]) * r.uniform(.15, .4)], [.3, .3, .4] if woman else [.6, .1, .3])
    m['fringe'], m['sweep'] = 0., r.uniform(-1.2, 1.2) if r.rand() < .5 else 0.
    if r.rand() < (.32 if woman else .22):
        m['fringe'] = r.uniform(.12, .42)
    m['temples'] = 0. if m['fringe'] or r.rand() < .4 else r.uniform(0, .12 if woman else .3)
    m['stubble'] = r.uniform(.1, 1.) if not woman and r.rand() < .6 else 0.
    m['squint'] = r.beta(1.5, 4) if r.rand() < .94 else 1.
    m['lips'] = r.beta(1.2, 1.5) if woman else r.uniform(0, .2)


def hat(m, r):
    """Bare, cap, beanie, helmet, brimmed hat or hood."""
    m['hat_line'], m['hat_slope'], m['hat_thick'], m['hat_shine'], m['hood'] = 9., .12, .03, 0., 0.
    m['brim'] = None
    k = r.rand()
    if k < .11:
        m['hat_line'], m['brim'] = r.uniform(7.65, 7.95), 'cap'
    elif k < .16:
        beanie(m, r)
    elif k < .19:
        m['hat_line'], m['brim'] = r.uniform(7.7, 7.95), 'wide'
    elif k < .21:
        m['hat_line'], m['hood'], m['hat_thick'] = 8., 1., r.uniform(.15, .35)


def beanie(m, r):
    m['hat_line'], m['hat_slope'], m['hat_thick'], m['brim'] = r.uniform(7.5, 7.85), r.uniform(.2, .4), r.uniform(.05, .25), None


def helmet(m, r, brim=False):
    m['hat_line'], m['hat_slope'], m['hat_thick'], m['hat_shine'] = r.uniform(7.55, 7.8), r.uniform(.15, .45), r.uniform(.3, .5), r.uniform(.2, .7)
    m['brim'], m['hood'] = ('cap' if brim else None), 0.
    m['hat'] = palette.hsv(r.rand(), r.choice([.05, .8]), r.uniform(.1, .95))


def jacket(m, r, hem=None):
    m['has_outer'] = 1.
    m['outer_sleeve'] = pick(r, [r.uniform(.95, 1.03), -.1, r.uniform(.5, .9)], [.84, .10, .06])
    m['outer_hem'] = hem if hem is not None else pick(r, [r.uniform(-.8, .6), r.uniform(-3.5, -.8)], [.75, .25])
    m['outer_open'] = pick(r, [0., r.uniform(.1, .9)], [.42, .58])
    m['outer_loose'] = r.uniform(.04, .34)
    if r.rand() < .25:
        m['hat_line'], m['hood'], m['hat_thick'], m['hat'], m['brim'] = (8., 1., .3, m['outer'], None) if r.rand() < .5 else (m['hat_line'], m['hood'], m['hat_thick'], m['hat'], m['brim'])
    m['scarf'] = float(r.rand() < .18)
    m['hood_down'] = pick(r, [0., r.uniform(.5, 1.4)], [.65, .35]) * (m['hood'] < .5)
    m['stand_up'] = pick(r, [0., r.uniform(.05, .3)], [.5, .5])
    k = r.rand()
    if k < .16:
        padded(m, r)
    elif k < .26:
        leather(m, r)


def padded(m, r):
    m['quilt'], m['outer_gloss'], m['outer_loose'] = r.uniform(.7, 2.4), r.uniform(.02, .15), r.uniform(.15, .35)


def leather(m, r):
    m['outer_gloss'], m['outer_pat'] = r.uniform(.2, .5), 0
    m['outer'] = palette.hsv(r.normal(.06, .02), r.uniform(0, .6), r.uniform(.04, .4))


def coat(m, r):
    """A jacket of which the lower part hangs like a skirt."""
    jacket(m, r, hem=r.uniform(-.6, .2))
    m['outer_sleeve'], m['dress'], m['skirt_end'] = r.uniform(.96, 1.03), 2., r.uniform(-6.4, -1.6)
    if r.rand() < .5:
        m['outer'] = m['outer2'] = palette.hsv(r.normal(.1, .25), r.uniform(0, .35), r.uniform(.04, .5))
        m['outer_pat'] = pick(r, [0, 8], [.6, .4])


def robe(m, r):
    """Down to the calves, wide, of one colour."""
    m['skirt_end'], m['dress'], m['sleeve'], m['hem'] = r.uniform(-7.2, -4.8), 1., r.uniform(.85, 1.), -.5
    m['upper_pat'], m['upper_loose'], m['lower_loose'] = pick(r, [0, 2, 8, 11], [.5, .15, .2, .15]), r.uniform(.2, .45), r.uniform(.2, .5)


def baggy(m, r):
    """Wide trousers, a large shirt."""
    m['lower_loose'], m['flare'] = r.uniform(.35, .75), pick(r, [0., r.uniform(.5, 2.)], [.5, .5])
    if r.rand() < .6:
        m['upper_loose'], m['hem'] = r.uniform(.3, .6), r.uniform(-1.8, 0)


def dark(m, r):
    """Black, charcoal, navy from head to foot."""
    for k in ('upper', 'upper2', 'lower', 'lower2', 'outer', 'outer2', 'shoe', 'sock'):
        m[k] = palette.hsv(r.normal(.62, .08), r.uniform(0, .35), r.uniform(.03, .16))
    if r.rand() < .5:
        m['hat'] = m['outer']


def suit(m, r):
    dark = palette.hsv(r.normal(.62, .05), r.uniform(0, .4), r.uniform(.06, .38))
    m['outer'] = m['lower'] = dark
    m['outer_pat'] = m['lower_pat'] = 0
    m['upper'] = m['upper2'] = palette.hsv(r.normal(.58, .1), r.choice([0, .15]), r.uniform(.85, 1.))
    m['upper_pat'], m['collar'], m['tie'], m['neck'], m['vneck'] = 0, 1., float(r.rand() < .7), 6.1, 0.
    m['has_outer'] = float(r.rand() < .75)
    m['outer_sleeve'], m['outer_hem'], m['outer_open'], m['outer_loose'] = .98, r.uniform(-1.4, -.6), r.uniform(.2, .5), r.uniform(.04, .15)
    m['sleeve'], m['hem'], m['leg_end'] = 1., r.uniform(.4, 1.), -7.6
    m['shoe'], m['shoe_top'] = palette.hsv(.06, .3, .08), -7.6
    m['print_front'] = m['print_back'] = -1.


def skirt(m, r):
    m['skirt_end'] = pick(r, [r.uniform(-3.8, -1.2), r.uniform(-7.3, -3.8)], [.5, .5])
    m['dress'] = float(r.rand() < .6)
    m['leg_end'] = -.5 if r.rand() < .7 else m['leg_end']
    m['lower_loose'] = r.uniform(.04, .45)


def sport(m, r):
    """Shirt and shorts with numbers and stripes."""
    m['upper'] = palette.hsv(r.rand(), r.choice([.1, .85]), r.uniform(.3, 1.))
    m['upper2'] = palette.hsv(r.rand(), r.choice([0, .8]), r.choice([.05, .95]))
    m['upper_pat'] = pick(r, [0, 1, 2, 7, 10, 12, 13], [.4, .08, .08, .14, .1, .1, .1])
    m['lower'] = [m['upper'], m['upper2'], palette.hsv(0, 0, .95), palette.hsv(.6, .2, .06)][r.randint(4)]
    m['lower_pat'] = r.choice([0, 12])
    m['sleeve'] = pick(r, [-.1, r.uniform(.25, .45), 1.], [.2, .65, .15])
    m['leg_end'] = pick(r, [r.uniform(-3.8, -1.8), -7.4], [.75, .25])
    m['print_front'], m['print_back'] = (float(r.randint(NUMBERS)) if r.rand() < .5 else -1.), (float(r.randint(NUMBERS)) if r.rand() < .5 else -1.)
    m['sock_top'] = r.choice([-7., r.uniform(-6, -4.4)])
    if r.rand() < .2:
        m['hat_line'], m['brim'] = 7.8, 'cap'


def baseball(m, r):
    sport(m, r)
    m['leg_end'], m['lower_loose'] = r.choice([-7.4, -5.]), r.uniform(.1, .35)
    m['lower'] = palette.hsv(.1, r.choice([0, .1]), r.uniform(.55, 1.))
    m['belt'] = 1.
    m['sock'], m['sock_top'] = m['upper'], -4.4
    if r.rand() < .5:
        helmet(m, r, brim=True)
    else:
        m['hat_line'], m['brim'], m['hood'] = 7.8, 'cap', 0.
    m['hat'] = m['upper']
    m['gloves'] = float(r.rand() < .3)


def winter(m, r):
    jacket(m, r, hem=r.uniform(-1.6, .2))
    if r.rand() < .3:
        padded(m, r)
    m['outer_open'], m['outer_sleeve'], m['outer_loose'] = 0., 1.03, r.uniform(.05, .32)
    m['outer'] = palette.hsv(r.rand(), r.uniform(.4, .95), r.uniform(.2, 1.)) if r.rand() < .7 else m['outer']
    m['leg_end'], m['lower_loose'], m['lower_pat'] = -7.6, r.uniform(.2, .5), r.choice([0, 12])
    m['lower'] = m['lower'] if r.rand() < .4 else palette.hsv(r.rand(), r.choice([.1, .8]), r.uniform(.05, .9))
    m['gloves'], m['shoe_top'] = float(r.rand() < .9), r.uniform(-6.8, -6)
    if r.rand() < .5:
        beanie(m, r)
    elif r.rand() < .85:
        helmet(m, r)
    m['glasses'] = pick(r, [0, 2, 3], [.35, .25, .4])
    if r.rand() < .2:                                   # racing suit with a bib
        m['outer_sleeve'], m['outer_loose'], m['upper_loose'], m['lower_loose'] = -.1, .08, .06, .06
        m['print_front'] = m['print_back'] = float(r.randint(NUMBERS))
        m['sleeve'], m['lower'], m['lower_pat'] = 1., m['upper'], r.choice([0, 4, 12])


def beach(m, r):
    m['has_outer'] = 0.
    m['shoe_top'] = -9. if r.rand() < .9 else m['shoe_top']
    m['sock_top'] = -9.
    k = r.rand()
    if k < .45:                                         # wetsuit
        m['upper'] = m['lower'] = palette.hsv(.62, .2, r.uniform(.05, .25))
        m['upper_pat'], m['lower_pat'] = r.choice([0, 7, 10, 12]), 0
        m['sleeve'], m['hem'], m['leg_end'] = r.choice([1., .4]), -.5, r.choice([-7.4, -3.5])
        m['upper_loose'] = m['lower_loose'] = .04
        m['bump'], m['seams'] = .1, 0.
    elif k < .8:                                        # bathing shorts or bikini
        m['has_upper'] = 0.
        m['waist'], m['leg_end'], m['lower'] = r.uniform(.3, .9), r.choice([r.uniform(-3.8, -1.6), -.6]), palette.hsv(r.rand(), .8, .8)
    else:
        m['sleeve'], m['leg_end'] = .4, r.uniform(-3.8, -1.6)
    m['hat_line'] = 9. if r.rand() < .9 else m['hat_line']
    m['brim'] = m['brim'] if m['hat_line'] < 9 else None


def biker(m, r):
    jacket(m, r, hem=.2)
    m['outer_sleeve'], m['outer_open'] = 1.02, 0.
    m['outer'] = palette.hsv(0, r.choice([0, .8]), r.uniform(.04, .3))
    helmet(m, r)
    if r.rand() < .5:                                   # full face
        m['hood'], m['hat_slope'] = 1., 0.
        m['glasses'] = 2
    m['gloves'], m['leg_end'], m['shoe_top'] = 1., -7.5, -6.5


def rider(m, r):
    helmet(m, r, brim=r.rand() < .5)
    m['leg_end'], m['shoe_top'], m['shoe'] = -7.5, -4.5, palette.hsv(.06, .4, .1)
    if r.rand() < .5:
        jacket(m, r, hem=-.6)


def uniform(m, r):
    c = palette.hsv(r.choice([.62, .25, .1, .6]), r.uniform(.1, .6), r.uniform(.08, .5))
    m['upper'] = m['lower'] = m['outer'] = c
    m['upper_pat'] = m['lower_pat'] = r.choice([0, 4]) if r.rand() < .3 else 0
    m['collar'], m['belt'], m['leg_end'], m['sleeve'] = 1., 1., -7.5, r.choice([.4, 1.])
    if r.rand() < .6:
        m['hat'], m['hat_line'], m['brim'], m['hood'] = c, 7.8, 'cap', 0.


OUTFITS = dict(sport=sport, baseball=baseball, winter=winter, beach=beach, biker=biker, rider=rider)


def hang(m, hanging):
    """What reaches over the hips hangs from there, where the pose allows it, and does not follow each leg."""
    if m['skirt_end'] < 1.5:
        return
    key = 'outer_hem' if m['has_outer'] > .5 else 'hem'
    if m[key] > -.8:
        return
    if hanging:
        m['dress'], m['skirt_end'], m[key] = (2. if key == 'outer_hem' else 1.), m[key], -.4
    else:
        m[key] = max(m[key], -1.1)


def dress(rng, sex, child, old, activity_outfit, posture):
    """Material values of one person; `brim` and `bun` name extra meshes (see objects.py)."""
    m = base(rng, sex, child, old)
    hanging = posture in ('stand', 'sit')               # what cloth that hangs like a skirt can be worn in
    if activity_outfit in OUTFITS and rng.rand() < .85:
        OUTFITS[activity_outfit](m, rng)
    else:
        everyday(m, rng, sex, child, hanging)
    if sex == 'female' and m['has_upper'] < .5:         # bathing costume
        m['has_upper'], m['sleeve'], m['hem'], m['neck'], m['upper_loose'] = 1., -.1, rng.choice([2.9, -.4]), rng.uniform(4.3, 4.8), .03
        m['hood_down'], m['print_front'] = 0., -1.
    hang(m, hanging)
    if m['skirt_end'] < 1.5 and m['leg_end'] < -1:      # little room for trousers below
        m['lower_loose'], m['flare'] = min(m['lower_loose'], .12), 0.
    return m


def everyday(m, rng, sex, child, hanging):
    k = rng.rand()
    if k < .26:
        jacket(m, rng)
    elif k < .35:
        coat(m, rng) if hanging else jacket(m, rng)
    elif k < .41 and not child:
        suit(m, rng)
    elif k < .53 and sex == 'female' and hanging:
        skirt(m, rng)
    elif k < .55 and hanging:
        robe(m, rng)
    elif k < .64:
        sport(m, rng)
    elif k < .68:
        uniform(m, rng)
    elif k < .73:
        winter(m, rng)
    elif k < .76:
        beach(m, rng)
    if rng.rand() < .12:
        baggy(m, rng)
    if rng.rand() < .09:
        dark(m, rng)
    if rng.rand() < .06:                                # overalls, one colour
        m['lower'] = m['upper']
