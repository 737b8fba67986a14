"""Which tests concern a mutant."""

import os
import re

from mutation.choose import ROOT

CONVOLUTIONS = ["conv_fwd", "conv_dgrad", "conv_wgrad"]


def registry():
    """Kernel -> module of its twin, and the snippets of its shader."""
    text = open(os.path.join(ROOT, "src/exec/registry.rs")).read()
    found = {}
    for m in re.finditer(r"kernel!\(\s*(\w+)::(\w+)((?:\s*,\s*\"\w+\")*)\s*\)", text):
        found[m[2]] = (m[1], re.findall(r'"(\w+)"', m[3]))
    return found


def kernels(mutant):
    name = os.path.splitext(os.path.basename(mutant.path))[0]
    known = registry()
    if mutant.path.startswith("shaders/shared/"):
        using = [kernel for kernel, (_, snippets) in known.items() if name in snippets]
        if name in ("items",):
            return ["binary", "max_pool", "relayout"]
        if name in ("workgroup", "subgroups", "spans"):
            return ["batch_norm", "norm_stats", "channel_sums", "loss_finalize", "sum_squares"]
        return using or CONVOLUTIONS
    if mutant.path.startswith("shaders/"):
        return [name] if name in known and "/" not in mutant.path[len("shaders/") :] else CONVOLUTIONS
    if mutant.part == "twin":
        modules = users(name)
        return [kernel for kernel, (module, _) in known.items() if module in modules] or CONVOLUTIONS
    return CONVOLUTIONS


def users(name):
    """The modules of twins that use a module, and the module itself."""
    found, folder = {name}, os.path.join(ROOT, "src/exec/cpu")
    while True:
        more = set()
        for file in os.listdir(folder):
            module, text = os.path.splitext(file)[0], os.path.join(folder, file)
            if file.endswith(".rs") and any(re.search(rf"\b{used}::", open(text).read()) for used in found):
                more.add(module)
        if more <= found:
            return found
        found |= more


OPS = "ops_match_twin::"
ALL_OPS = [("engines", OPS + "updates_and_large_maps_match_the_twin"), ("engines", OPS + "ops_with_convolutions_match_the_twin"),
           ("engines", OPS + "ops_without_convolutions_match_the_twin")]
TILES = [("engines", "gpu_tiles::sizes_without_room_in_immediates_are_constants"),
         ("engines", "gpu_tiles::winograd_matches_the_twin"),
         ("engines", "gpu_tiles::every_tile_matches_the_twin"),
         ("engines", "gpu_tiles::partial_results_over_other_pixels_merge_to_equal_results"),
         ("engines", "gpu_matrix_units::tiles_for_matrix_units_match_the_twin"),
         ("engines", "gpu_tiles::operands_without_room_in_a_texture_are_read_from_their_buffers")]
HALF = [("engines", OPS + "sixteen_bits_match_the_twin")]
PYTORCH = [("numerics", "conformance_pytorch::the_twin_agrees_with_pytorch"),
           ("numerics", "conformance_pytorch::the_cpu_engine_agrees_with_pytorch")]
SLOPES = [("numerics", "gradcheck::every_gradient_is_the_slope_of_its_op"), ("numerics", "adjoint::")]
LAST = [("engines", OPS + "a_nan_reaches_the_results"), ("engines", OPS + "rewrites_"), ("engines", "gpu_engine::")]
CHOICES = [("engines", "gpu_matrix_units::only_near_taps_share_a_patch"),
           ("engines", "gpu_matrix_units::tiles_are_for_operands_of_their_width"),
           ("engines", "gpu_tiles::the_tuner_keeps_its_record_and_never_chooses_a_wrong_tile")]


def tests(mutant):
    if mutant.part == "twin":
        scales = [("engines", "precision::")] if "loss_scale" in kernels(mutant) else []
        return PYTORCH + ALL_OPS + SLOPES + HALF + scales + LAST
    convolution = kernels(mutant) == CONVOLUTIONS or kernels(mutant)[0] in CONVOLUTIONS
    if not convolution:
        return ALL_OPS + HALF + LAST
    first, name = list(TILES), mutant.path
    for word, test in (("winograd", 1), ("cooperative", 4), ("patches", 4), ("statistics", 0)):
        if word in name:
            first.insert(0, first.pop(test))
            break
    return first[:3] + ALL_OPS + first[3:] + HALF + CHOICES + LAST
