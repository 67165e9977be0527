namespace AiDb.Engine;

/// <summary>What the holder of a value or block gives its hold back to.</summary>
internal abstract class LeaseOwner
{
    /// <summary>Gives a hold back, once.</summary>
    /// <param name="hold">What the owner handed out with it.</param>
    public abstract void Release(nint hold);
}
