// What all invocations of an optimizer read alike: the learning rate, the factor of the gradient, and whether to step at all.
// Outside of branches llvmpipe reads it once for all.
struct Update { lr: f32, scale: f32, sound: bool }

fn update() -> Update {
    var scale = 1.0;
    if (CLIP) {
        scale = clip[1];
    }
    return Update(hyper.lr, scale, finite(guard_value[0]));
}
