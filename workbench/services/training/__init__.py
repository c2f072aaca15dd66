"""Training runs from the page Train: presets, the form, datasets, progress of a job, predictions before and after."""

from .choices import (
    NO_LIST,
    Summary,
    entries_of,
    exclusion_lists,
    has_effect,
    option_fields,
    part_name,
    parts,
    plan_of,
    refitted,
    start_name,
    starts,
    summary,
    with_recipe,
    with_start,
)
from .epochs import PINNED, EpochView, drawn_class, pending, pinned, pinned_face, pinned_title, views, watch
from .examples import examples
from .form import UP_FRONT, Field, choices_of, configure, fields, recipes, sizes, trainable_networks
from .outcome import PER_CLASS, BeforeAfter, Shortcut, before_after, recall_of, shortcut, sticker_class
from .own import (
    Labeled,
    OwnSet,
    face_of,
    folders_in_zip,
    folders_of,
    forget,
    guessed,
    label_in,
    make,
    own_set,
    own_sets,
    read_files,
    read_zip,
)
from .presets import IMAGENET, NOTHING, PRESETS, Plan, Preset, estimate, measure, measuring, resolved, start
from .progress import STATES, Progress, duration, progress
from .sources import DRAWINGS, set_names, set_title, split_names, starting_points
