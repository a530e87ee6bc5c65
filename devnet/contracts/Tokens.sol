// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// A plain 6-decimal token. The issuer may freeze a sender, as issuers of real stablecoins may,
/// so that a payout can be made to revert after it was simulated.
contract TestToken {
    string public constant name = "Test USD";
    string public constant symbol = "TUSD";
    uint8 public constant decimals = 6;

    address public immutable issuer;
    uint256 public immutable totalSupply;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;
    mapping(address => bool) public frozen;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    constructor(address holder, uint256 supply) {
        issuer = holder;
        totalSupply = supply;
        balanceOf[holder] = supply;
        emit Transfer(address(0), holder, supply);
    }

    function freeze(address account, bool yes) external {
        require(msg.sender == issuer, "issuer only");
        frozen[account] = yes;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _move(msg.sender, to, value);
        return true;
    }

    /// Several transfers in one transaction: one receipt, many logs.
    function transferMany(address[] calldata to, uint256 value) external {
        for (uint256 i = 0; i < to.length; i++) {
            _move(msg.sender, to[i], value);
        }
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        require(allowance[from][msg.sender] >= value, "allowance too low");
        allowance[from][msg.sender] -= value;
        _move(from, to, value);
        return true;
    }

    function _move(address from, address to, uint256 value) private {
        require(!frozen[from], "sender is frozen");
        require(balanceOf[from] >= value, "balance too low");
        balanceOf[from] -= value;
        balanceOf[to] += value;
        emit Transfer(from, to, value);
    }
}

/// Returns nothing from `transfer`, like the USDT contract on the Ethereum mainnet.
contract SilentToken {
    string public constant symbol = "SILENT";
    uint8 public constant decimals = 6;
    mapping(address => uint256) public balanceOf;

    event Transfer(address indexed from, address indexed to, uint256 value);

    constructor(address holder, uint256 supply) {
        balanceOf[holder] = supply;
        emit Transfer(address(0), holder, supply);
    }

    function transfer(address to, uint256 value) external {
        require(balanceOf[msg.sender] >= value, "balance too low");
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value;
        emit Transfer(msg.sender, to, value);
    }
}

/// Moves native coin by internal calls, with and without an inner revert.
contract Splitter {
    receive() external payable {}

    /// Sends `value` to each recipient; visible only in traces.
    function fan(address payable[] calldata to, uint256 value) external payable {
        for (uint256 i = 0; i < to.length; i++) {
            (bool sent, ) = to[i].call{value: value}("");
            require(sent, "recipient refused");
        }
    }

    /// Succeeds as a whole although its inner payment was undone.
    function fanUndone(address payable to, uint256 value) external payable {
        try this.payThenRevert{value: value}(to) {} catch {}
    }

    function payThenRevert(address payable to) external payable {
        (bool sent, ) = to.call{value: msg.value}("");
        require(sent, "recipient refused");
        revert("undone");
    }
}
