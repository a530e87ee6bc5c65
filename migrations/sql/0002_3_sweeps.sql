-- Pool addresses emptied into the application wallet: each a row, with what it cost.

-- downgrade
