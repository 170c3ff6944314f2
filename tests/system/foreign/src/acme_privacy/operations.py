from pamola_tasks import Operation, OperationResult, reads, writes


class ShoutOperation(Operation):
    """Make the text of some columns upper case."""

    input_dataset: str = reads()
    output_dataset: str = writes("{input}_shouted")
    fields: list[str]

    def execute(self, ctx):
        frame = ctx.data.frame(self.input_dataset)
        for field in self.fields:
            frame[field] = frame[field].str.upper()
        ctx.data.write(self.output_dataset, frame)
        return OperationResult.success({"rows": len(frame)})
