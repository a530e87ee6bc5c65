"""What the world sees of a deposit: the same document by itself and inside its invoice."""

from gateway.invoices.deposit_documents import DepositDocument, deposit_document

__all__ = ["DepositDocument", "deposit_document"]
