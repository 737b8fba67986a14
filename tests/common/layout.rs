//! Converts the layouts of PyTorch and ONNX to the library's: N C H W to N H W C, O I KH KW to KH KW I O.

/// Elements of a row-major tensor with its axes reordered: axis `i` of the result is axis `order[i]` of the input.
pub fn transpose<T: Copy>(values: &[T], shape: &[usize], order: &[usize]) -> (Vec<usize>, Vec<T>) {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    let result: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    let element = |mut index: usize| {
        let mut at = 0;
        for (&size, &axis) in result.iter().zip(order).rev() {
            at += index % size * strides[axis];
            index /= size;
        }
        values[at]
    };
    let elements = (0..values.len()).map(element).collect();
    (result, elements)
}

/// An activation with channels last. A scalar becomes a vector of one element.
pub fn channels_last<T: Copy>(values: &[T], shape: &[usize]) -> (Vec<usize>, Vec<T>) {
    match shape.len() {
        0 => (vec![1], values.to_vec()),
        4 => transpose(values, shape, &[0, 2, 3, 1]),
        _ => (shape.to_vec(), values.to_vec()),
    }
}

/// The weight of a convolution or linear layer with output channels last.
pub fn outputs_last<T: Copy>(values: &[T], shape: &[usize]) -> (Vec<usize>, Vec<T>) {
    let order: &[usize] = if shape.len() == 4 { &[2, 3, 1, 0] } else { &[1, 0] };
    transpose(values, shape, order)
}

#[test]
fn transpose_moves_each_axis_to_its_place() {
    let values: Vec<usize> = (0..24).collect();
    let (shape, moved) = transpose(&values, &[2, 3, 2, 2], &[0, 2, 3, 1]);
    assert_eq!(shape, [2, 2, 2, 3]);
    // n 1, h 0, w 1, c 2 was n 1, c 2, h 0, w 1
    assert_eq!(moved[12 + 3 + 2], 12 + 2 * 4 + 1);
}
