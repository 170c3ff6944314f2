"""Charts of a report: their form in JSON (`form`), as SVG (`drawing`), and as tables of numbers (`numbers`)."""
