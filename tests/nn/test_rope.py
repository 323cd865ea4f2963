import pytest
import torch

from worldloom.nn.rope import apply_rope, rope_table


@pytest.mark.parametrize("head_size", [12, 24, 64, 128])
def test_dot_products_depend_on_distance_only(head_size):
    grid = (3, 4, 5)
    query, key = torch.randn(head_size), torch.randn(head_size)
    table = rope_table(grid, head_size)
    count = table.shape[0]
    queries, keys = (apply_rope(x.expand(1, count, 1, -1), table).view(*grid, -1) for x in (query, key))
    for moved in [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 2, 3)]:
        dots = torch.einsum(
            "fhwk,fhwk->fhw",
            queries[moved[0] :, moved[1] :, moved[2] :],
            keys[: 3 - moved[0], : 4 - moved[1], : 5 - moved[2]],
        )
        torch.testing.assert_close(dots, dots.flatten()[0].expand_as(dots), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(queries.norm(dim=-1), query.norm().expand(grid))


def test_every_axis_turns_its_own_channels():
    x = torch.ones(1, 8, 1, 24)
    turned = apply_rope(x, rope_table((2, 2, 2), 24)).view(2, 2, 2, 24)
    frame, row, column = turned[1, 0, 0], turned[0, 1, 0], turned[0, 0, 1]
    assert [bool((moved != 1).any()) for moved in frame.split(8)] == [True, False, False]
    assert [bool((moved != 1).any()) for moved in row.split(8)] == [False, True, False]
    assert [bool((moved != 1).any()) for moved in column.split(8)] == [False, False, True]


def test_frame_offset_is_a_later_part_of_a_longer_table():
    long, window = rope_table((9, 2, 2), 24), rope_table((3, 2, 2), 24, frame_offset=5)
    assert torch.equal(window, long[5 * 4 : 8 * 4])


def test_tables_are_cached():
    assert rope_table((2, 3, 4), 24) is rope_table((2, 3, 4), 24)


def test_compiled_form_is_the_same():
    x, table = torch.randn(2, 12, 3, 24, requires_grad=True), rope_table((1, 3, 4), 24)
    torch.compiler.reset()
    compiled = torch.compile(apply_rope, backend="eager")
    torch.testing.assert_close(compiled(x, table), apply_rope(x, table))


def test_dtype_stays():
    assert (
        apply_rope(torch.zeros(1, 1, 1, 12, dtype=torch.bfloat16), rope_table((1, 1, 1), 12)).dtype
        == torch.bfloat16
    )


def test_a_table_first_made_while_sampling_can_be_trained_with() -> None:
    with torch.inference_mode():
        table = rope_table((3, 5, 7), 8, frame_offset=11)
    x = torch.randn(1, 1, 3 * 5 * 7, 8, requires_grad=True)
    (x.unflatten(-1, (-1, 2)) * table).sum().backward()
    assert not table.is_inference() and x.grad is not None
