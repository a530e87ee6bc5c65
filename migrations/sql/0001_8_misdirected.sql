-- Funds that arrived without being a payment, and what an operator did about them.
SELECT 1;
