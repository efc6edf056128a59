import xml.etree.ElementTree as ET
from datetime import timedelta
from itertools import islice

from payments import NOON, Story, Years
from plot import Line, Point, svg_of

SVG = "{http://www.w3.org/2000/svg}"


def test_the_next_year_has_other_customers_and_orders_and_is_a_year_later():
    first, second = list(Story(50)), list(islice(Years(2, 50), 50, None))
    assert not {event.order_id for event in first} & {event.order_id for event in second}
    assert not {event.customer_id for event in first} & {event.customer_id for event in second}
    assert second[0].occurred_at == NOON + timedelta(days=365)


def test_the_first_year_is_the_story_itself():
    assert list(Years(1, 50)) == list(Story(50))


def test_the_plot_draws_a_line_for_each_benchmark_lower_where_it_is_slower():
    slower = Line("B4: <catching up>", [Point(1, 1.0, 1.0, 1.0), Point(10, 0.5, 0.4, 0.6)])
    steady = Line("B1", [Point(1, 1.0, 1.0, 1.0), Point(10, 1.0, 0.9, 1.1)])
    drawn = ET.fromstring(svg_of([slower, steady], goal=0.9))
    lines = [line.get("points").split() for line in drawn.iter(f"{SVG}polyline")]
    ends = [float(points[-1].split(",")[1]) for points in lines]
    assert len(lines) == 2
    assert ends[0] > ends[1], "what is further down has a greater y"
