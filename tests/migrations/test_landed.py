"""Revisions that were released: a database made with them must be one that today's files make."""

import hashlib
from pathlib import Path

import migrations

SQL = Path(migrations.__file__).parent / "sql"
RELEASED = {
    "0001_1_catalog_accounts": "74bf798075f386e3f9e39749865b8fa09a02e875d3fc54b2bde3ce4d8288dba3",
    "0001_2_ledger": "830135a638495cac9ae3a6ee42a3831a124d302c1e412a3292e4f548f252d485",
    "0001_3_money_in": "ec1eb56b8c34d7165bf473e9c2d4a7fb239a6653cc198682b74b9b59d442794c",
    "0001_4_money_out": "331bd49b40e8debff3500efb3d71fe6041b1834746d5b020dcc0c740769e7e34",
    "0001_5_webhooks": "db09d03996be7ee6306cad5a63ba8a0a0254193e8a85d805feec5d147bf83a62",
    "0001_6_roles": "39bb23dc7c965ed15ddcfd8a854e65292c2e40f5fa113b0c81d257684fef91e6",
    "0001_7_coverage": "9412aefcef1a129c8e4bcf42c280cffb691279e844f3e2b95e809fdbcf3ed54b",
    "0001_8_misdirected": "e55244e61feb235e2fb14eedceef67b3ab99b1f50fd33a86d448bb7f7ddc4765",
    "0001_9_reconciliation": "f4a57b5d68d8ec97c972a8ac77256aba5ac19423ded25876188cdbf29f35a417",
    "0001_10_questions": "6e1d82632289d6a94c415b5e069f9123ed071a738c4d6efd017d83109e335e99",
    "0002_1_attempts": "a8568813100f014ca99edd07c2ac6333683b64fc0e71ae8a9e6817bd3d4336c1",
    "0002_2_approvals": "dcf42b1d881e67eacfbbc43f569fd66d7f22fa0432267a34782b48569eca76b4",
    "0002_3_sweeps": "6152b231c7711533c010f2ec7ee8ac8f16ba18e8914739f081844b22252af045",
    "0002_4_requests": "c7ee7b93c13aa5cf6c8635725f7ffce4bd75748610494cf7cd790d2caa498710",
    "0003_1_webhooks": "9cd8bb317e2af4a73eeb4d68b6580d82397e9906e20ceb4fa6f2228e6a0799cb",
    "0003_2_prices": "dd30867fb4660863ebac48876e6b693f9a70bc8b93776771e773eedd1e114902",
    "0003_3_audit": "53045deedcd4dcc2be3b0affe9d2e3b3b9ca77ca8fcf7fbcea8caed4dfe6aa32",
    "0003_4_limits": "31022151e69d322ee0aa3470c927bcf3d3dde372d83064a6fdf664d88b025dcd",
    "0004_1_ledger": "bc04d145b1a6131baabb8405fe5d8db24976be3739d1835b7381f6bf49346456",
    "0004_2_people": "a24ac0fa153daf7d0d6bb7b7dea2430c3864982d4474c150386c342e8b3b169d",
    "0004_3_merchants": "67373800f90fba1c6badeb5bb010cd7a5b0efd786b7d3ed2f424e233f6405a9f",
    "0004_4_notifications": "9770fbecba1ac9065fdf5242cb72a944df7ac4be6110ba32a3fe38a837e865cb",
    "0004_5_usage": "14ad96de6c14f1f4551c4684ba5a777ec7e131e3db7dc735bae6106ba7ba9187",
    "0004_6_invoices": "ea2fd0f2af268255a002be1f32d168be7e436eb8f7a6110e1cde2a001e899ddc",
    "0004_7_customers": "5ed5333a72aff712cf677971340006d532809c5b0be8f6ba273fa190c44582a3",
    "0004_8_subscriptions": "30dbfeeb3d9a3890b1afee9610d8a000e2ebbfa95305b2c262fcbc32c8077eaf",
    "0004_9_referrals": "895e9197a35e93c6f55e8d6b0940c2c48dbd988fa3228c38496327b535191912",
    "0004_10_factors": "103b05a025490b6ec84bb3b10456f5133ba4224bd783692a9d455e1f8b20ab1d",
    "0005_1_people": "adaecca782dcf3fbd6170937c4575d4884afdad7c44515ed98df8c2d0fc7ff5a",
    "0005_2_money": "2a3f0b69234299af175d19d0732f4016a2f0fa85538715c572f3241b73736ba2",
    "0005_3_deposits": "af83fb0368b46b01da9fd0813a83f771e6cf6ee85be1abd952e63e6558ccdf5f",
    "0006_1_people": "50e295e54e92d5ad4c53010f9da85e819195843aa0ad416b3c0a8fee955f5526",
    "0006_2_pay": "51eee4d66dffec8b6e3b553282b99d39d403a4907c277da852863ba5ad8826e9",
    "0006_3_reconciliation": "94df6016a4307146ffb18c18a9490591e82e92870cf77b990986a4154b0ebacc",
    "0006_5_referrals": "81195bcbb79f2d6254dbe9ea15707ca910a7d60bfd3d41a92ac4d7d5f76095cc",
    "0007_1_reconciliation": "d744ff265207e28de277833593de89289bef9284b6d0137f42ae6fea7a1133c3",
    "0007_2_people": "0012a1b09e3e999afd0a8f911a0847de716dc3ca33974d53ca140a6f98a769f9",
    "0007_4_audit": "c4d7b73407643bf6090148bf0b5df00e62843ac77cb4accd3417d7fc8b38502b",
    "0007_5_paying": "f3b3d0114fb879e460fd5fc4df09897f2592d0a43813acb145c724f1ea5f028f",
    "0007_6_referrals": "35fc96274b9f9dd856a1715f8240dca7b9bfedf48c2d04944c19215339219a85",
    "0007_7_strays": "4c5657353717027d8d5e13880ea4aab38578e88a443140651e2483f0554067a8",
    "0007_8_credits": "57cd65df78adc6acfd1f579739ad005554cdc850fc0a9c5947908d6ae4f199b4",
    "0007_9_coverage": "04cc5ecdadebb16d50bb0e257f280a7877cffb937855e1577f320e7e45fa568e",
    "0007_9_webhooks": "af0bd1bc8bfab18998a59c51d8c935d34beb01aaef343050e83453dcce337652",
    "0007_10_finality": "8ae96da2ea758a57f9a1be08110baf3e7480b131848d822bb0652df3c11cc4d2",
    "0007_11_rules": "fd47abdfb1a85cd19a18c4f84a8020f233a4bbef05b1aa6efce7ff626393c768",
    "0007_12_behind": "f98f284e5832263d7aa4403da75225d987a1b7bdac036f8d77f8a5f1f107afef",
    "0007_13_siblings": "8b0218e19c0342d1361eafaf02afa95f3b0480e013eeecdbdb9911c8fcd6187f",
    "0008_1_reopen": "abfcce128ade15ea786afc5bedadd165a8a0d7e9b3a0786e89a3f0c90b47a56d",
    "0008_2_sequence": "d95a07c48c1559b6798ca23637a888a23ce8fdf608f085e9519888a24226fa37",
    "0008_3_room": "b9f0bd58529b914c1fd9dc8f3e07c39fe03ecff84a636a46e93cd73af0945b65",
    "0008_4_turning": "82b6cc2d3aecd1deb2c2f4779b845a92f3ec57b5aa255eea0cedd03f212628db",
    "0009_1_unswept": "592159edea937fe483852849e04cec692cf0aef41521f8ba7c5e792963d6e677",
    "0009_20_batches": "a964dd5269cd659b58fead462c9385630547b560d1b4e656759b18a8639e5242",
    "0009_30_turns": "8d441ef44b045d24a6986ff7f356be56b1a6e0e77c88424de1afb8aa8d74511d",
    "0009_31_costs": "4af85dbe8d0c721d80b3ebc1b3f5117d8fee06e9d1cb27f6fd6ada8745b8eaea",
}
"""SHA-256 of each file. A new revision is added when it is released; nothing here ever changes."""


def test_a_released_revision_is_never_edited() -> None:
    """What is wrong in one is mended by the next: older databases have run it already."""
    now = {
        path.stem: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in SQL.glob("*.sql")
        if path.stem in RELEASED
    }
    assert now == RELEASED
