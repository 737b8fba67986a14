//! Operators over maps: convolutions, pooling, resizing.

use super::wire::{Node, Tensor};

/// Kernel size, strides, pads (top, left, bottom, right) and dilations.
struct Window {
    size: [usize; 2],
    strides: [usize; 2],
    pads: [usize; 4],
    dilations: [usize; 2],
}

impl Window {
    fn of(node: &Node) -> Self {
        assert_eq!(node.int("ceil_mode", 0), 0);
        let (size, strides) = (node.sizes("kernel_shape", 0), node.sizes("strides", 1));
        Window { size, strides, pads: node.sizes("pads", 0), dilations: node.sizes("dilations", 1) }
    }

    fn extent(&self, axis: usize) -> usize {
        self.dilations[axis] * (self.size[axis] - 1) + 1
    }

    fn outputs(&self, input: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|a| (input[a] + self.pads[a] + self.pads[a + 2] - self.extent(a)) / self.strides[a] + 1)
    }

    /// For each tap of the window at output (y, x): its index, and the index of its input pixel, if that is inside.
    fn taps(&self, at: [usize; 2], input: [usize; 2]) -> impl Iterator<Item = (usize, Option<usize>)> {
        let inside = move |axis: usize, tap: usize| {
            let place = at[axis] * self.strides[axis] + tap * self.dilations[axis];
            place.checked_sub(self.pads[axis]).filter(|&p| p < input[axis])
        };
        let [kh, kw] = self.size;
        (0..kh * kw).map(move |k| (k, inside(0, k / kw).zip(inside(1, k % kw)).map(|(y, x)| y * input[1] + x)))
    }
}

pub fn operator(node: &Node, given: &[Option<&Tensor>]) -> Tensor {
    let x = given[0].expect("a map");
    let bias = |i: usize| given.get(i).copied().flatten();
    match node.operator.as_str() {
        "Conv" => conv(node, x, given[1].expect("a weight"), bias(2)),
        "ConvTranspose" => conv_transpose(node, x, given[1].expect("a weight"), bias(2)),
        "MaxPool" => pool(node, x, |values, _| values.iter().copied().fold(f64::MIN, f64::max)),
        "AveragePool" => {
            assert!(!node.attributes.contains_key("dilations"), "not in operator set 17");
            let all = node.int("count_include_pad", 0) == 1;
            pool(node, x, |values, taps| {
                values.iter().sum::<f64>() / if all { taps as f64 } else { values.len() as f64 }
            })
        }
        "GlobalAveragePool" => {
            let size = x.shape[2] * x.shape[3];
            let means = x.values.chunks(size).map(|map| map.iter().sum::<f64>() / size as f64);
            Tensor { shape: vec![x.shape[0], x.shape[1], 1, 1], values: means.collect() }
        }
        "Resize" => resize(node, x, &given[2].expect("scales").values),
        other => panic!("an operator {other} that no test knows"),
    }
}

fn conv(node: &Node, x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let kernel_shape = [w.shape[2], w.shape[3]];
    let window = if node.attributes.contains_key("kernel_shape") {
        Window::of(node)
    } else {
        Window { size: kernel_shape, strides: [1; 2], pads: [0; 4], dilations: [1; 2] }
    };
    assert_eq!(window.size, kernel_shape);
    let groups = node.int("group", 1) as usize;
    let [outputs, inputs] = [w.shape[0], w.shape[1]];
    assert_eq!((x.shape[1], outputs % groups), (inputs * groups, 0));
    let input = [x.shape[2], x.shape[3]];
    let [oh, ow] = window.outputs(input);
    let (area, taps) = (input[0] * input[1], kernel_shape[0] * kernel_shape[1]);
    let mut values = vec![0.0; x.shape[0] * outputs * oh * ow];
    for (i, value) in values.iter_mut().enumerate() {
        let (n, o, y, column) = (i / (outputs * oh * ow), i / (oh * ow) % outputs, i / ow % oh, i % ow);
        let first = n * x.shape[1] + o / (outputs / groups) * inputs;
        *value = bias.map_or(0.0, |b| b.values[o]);
        for (tap, place) in window.taps([y, column], input) {
            let Some(place) = place else { continue };
            for c in 0..inputs {
                *value += x.values[(first + c) * area + place] * w.values[(o * inputs + c) * taps + tap];
            }
        }
    }
    Tensor { shape: vec![x.shape[0], outputs, oh, ow], values }
}

fn conv_transpose(node: &Node, x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let window = Window::of(node);
    let groups = node.int("group", 1) as usize;
    let more: [usize; 2] = node.sizes("output_padding", 0);
    let [inputs, of_group] = [w.shape[0], w.shape[1]];
    assert_eq!((x.shape[1], [w.shape[2], w.shape[3]]), (inputs, window.size));
    let input = [x.shape[2], x.shape[3]];
    let size = [0, 1]
        .map(|a| (input[a] - 1) * window.strides[a] + more[a] + window.extent(a) - window.pads[a] - window.pads[a + 2]);
    let (outputs, area, taps) = (of_group * groups, input[0] * input[1], window.size[0] * window.size[1]);
    let mut result = vec![0.0; x.shape[0] * outputs * size[0] * size[1]];
    for (i, v) in result.iter_mut().enumerate() {
        *v = bias.map_or(0.0, |b| b.values[i / (size[0] * size[1]) % outputs]);
    }
    // A transposed convolution adds where the convolution reads.
    for (i, &v) in x.values.iter().enumerate() {
        let (n, c, at) = (i / (inputs * area), i / area % inputs, [i / input[1] % input[0], i % input[1]]);
        let first = n * outputs + c / (inputs / groups) * of_group;
        for (tap, place) in window.taps(at, size) {
            let Some(place) = place else { continue };
            for o in 0..of_group {
                result[(first + o) * size[0] * size[1] + place] += v * w.values[(c * of_group + o) * taps + tap];
            }
        }
    }
    Tensor { shape: vec![x.shape[0], outputs, size[0], size[1]], values: result }
}

/// Pooling. `f` gets the values inside each window, and the number of its taps.
fn pool(node: &Node, x: &Tensor, f: impl Fn(&[f64], usize) -> f64) -> Tensor {
    let window = Window::of(node);
    let input = [x.shape[2], x.shape[3]];
    assert!((0..4).all(|i| window.pads[i] < window.size[i % 2]), "runtimes refuse such padding");
    let [oh, ow] = window.outputs(input);
    let windows = x.values.chunks(input[0] * input[1]).flat_map(|map| {
        let (window, f) = (&window, &f);
        (0..oh * ow).map(move |i| {
            let taps = window.taps([i / ow, i % ow], input);
            let inside: Vec<f64> = taps.filter_map(|(_, place)| Some(map[place?])).collect();
            f(&inside, window.size[0] * window.size[1])
        })
    });
    Tensor { values: windows.collect(), shape: vec![x.shape[0], x.shape[1], oh, ow] }
}

fn resize(node: &Node, x: &Tensor, scales: &[f64]) -> Tensor {
    assert_eq!(scales[..2], [1.0, 1.0]);
    let input = [x.shape[2], x.shape[3]];
    let output = [0, 1].map(|axis| (input[axis] as f64 * scales[2 + axis]).floor() as usize);
    let nearest = node.text("mode") == "nearest";
    let along = |axis: usize, o: usize| {
        let (o, scale, last) = (o as f64, scales[2 + axis], (input[axis] - 1) as f64);
        let place = match node.text("coordinate_transformation_mode") {
            "half_pixel" => (o + 0.5) / scale - 0.5,
            "asymmetric" => o / scale,
            "align_corners" if output[axis] == 1 => 0.0,
            "align_corners" => o * last / (output[axis] - 1) as f64,
            other => panic!("coordinates {other}"),
        };
        let place = place.clamp(0.0, last);
        if nearest {
            assert_eq!(node.text("nearest_mode"), "floor");
            return (place.floor() as usize, place.floor() as usize, 0.0);
        }
        (place.floor() as usize, place.ceil() as usize, place.fract())
    };
    let maps = x.values.chunks(input[0] * input[1]).flat_map(|map| {
        let along = &along;
        (0..output[0] * output[1]).map(move |i| {
            let ((top, bottom, down), (left, right, across)) = (along(0, i / output[1]), along(1, i % output[1]));
            let row = |y: usize| map[y * input[1] + left] * (1.0 - across) + map[y * input[1] + right] * across;
            row(top) * (1.0 - down) + row(bottom) * down
        })
    });
    Tensor { values: maps.collect(), shape: vec![x.shape[0], x.shape[1], output[0], output[1]] }
}
